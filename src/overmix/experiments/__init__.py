"""What the project measures about itself; every number in README and docs comes from here."""
