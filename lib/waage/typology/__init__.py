"""Customer types from answers and behaviour, and an algorithm that types every customer."""
