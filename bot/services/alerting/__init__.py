"""Alertmanager is told what was rolled back, hushes for a while, and is listened to meanwhile."""
