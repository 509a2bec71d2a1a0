"""Files and folders that people name, and how they write numbers and tables in them."""
