def make(logs, keep):
    pass
