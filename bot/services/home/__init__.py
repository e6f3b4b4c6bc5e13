"""App Home: what each person sees there, and what they do there."""
