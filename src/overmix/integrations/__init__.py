"""In other people's training code: one file for each framework, imported by nobody but its users.

Each integration hands a framework's epochs to :class:`overmix.Epochs`, and carries out what that decides.
"""
