"""What training needs beyond inference: texts and losses."""
