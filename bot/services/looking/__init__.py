"""From an alert to what is said of it: what is known is gathered, weighed, and put into words."""
