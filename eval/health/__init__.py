"""What matters in a health answer beyond its likeness to the reference: doses, names, negation, reading grade, when to
seek care."""
