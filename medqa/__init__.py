"""Front door and shared vocabulary of the project: command line, records, settings, manifests, errors."""

__version__ = "0.1.0"
