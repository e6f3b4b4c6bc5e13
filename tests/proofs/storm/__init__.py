"""What a storm of alerts is made of: who sends, what is between, what people and the store have."""
