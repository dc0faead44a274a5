"""Sentences to read. The words fit every emotion."""

SENTENCES = (
    ("The parcel is still on the table in the hall.", "neutral"),
    ("They will be here in about ten minutes.", "neutral"),
    ("I have never seen that colour on a house.", "neutral"),
    ("You left the window open last night.", "happy"),
    ("It is the third door on the left.", "happy"),
    ("There is a letter for you downstairs.", "sad"),
    ("The train left before we were there.", "sad"),
    ("You said it would be ready by now.", "angry"),
    ("That is the second time this week.", "angry"),
    ("Somebody is standing at the gate.", "fear"),
)
"""Sentence -> how to read it."""
