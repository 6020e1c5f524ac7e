"""What concerns a person and more than one feature: mail about an account, and her rights to what is kept."""
