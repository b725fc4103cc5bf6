"""Our measures as classes of Hugging Face's ``evaluate``, for notebooks and trainers: they work offline and download nothing.

Each file is a metric that ``evaluate.load`` takes by its path. It reads a file's imports line by line, so there is one import a
line, and the base classes are needed at import: this is the one place where importing loads a heavy library.
"""
