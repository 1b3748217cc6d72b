"""What can be done: one verb a file, a typed function of the file's name, whose docstring is its declaration.

Its arguments and sections "Args" and "Writes" become the command, and what it returns, an `Answer`, is printed by it.
"""
