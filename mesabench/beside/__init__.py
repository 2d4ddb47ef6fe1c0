"""What is said of an agent beside the verdict, and never enters it."""
