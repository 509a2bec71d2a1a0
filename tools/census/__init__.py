"""The census in the documentation: its page, its picture, and a section on the card of each method."""
