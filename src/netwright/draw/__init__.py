"""Pictures and pages: numbers in, bytes out."""
