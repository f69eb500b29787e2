"""The IX score, and what a point of it is worth in visits and demand."""
