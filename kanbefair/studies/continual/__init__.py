"""Does a KAN forget more than an MLP?"""
