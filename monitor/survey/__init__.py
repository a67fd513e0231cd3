"""What a sample of a log shows before anything is taken: for the dry run and for a first plan."""
