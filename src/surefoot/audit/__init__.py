"""What is wrong with these preferences?"""
