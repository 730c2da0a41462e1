"""Who a person is: face recognition, its vectors, and the file that keeps them."""
