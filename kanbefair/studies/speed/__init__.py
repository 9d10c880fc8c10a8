"""What a spline layer costs, and how many runs an hour are trained."""
