"""Unit tests: decisions by themselves, and the functions against AWS as moto imitates it."""
