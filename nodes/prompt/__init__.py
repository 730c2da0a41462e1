"""From a prompt to conditioning whose words carry facial parts."""
