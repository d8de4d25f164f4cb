"""Lessons: what they are made of, and how an operator writes one."""
