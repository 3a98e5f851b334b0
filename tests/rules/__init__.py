"""The rules that every test here runs under, one pytest plugin per rule; `tests/conftest.py` loads them."""
