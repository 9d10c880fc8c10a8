"""Who wins when budgets are met and tries are equal?"""
