"""The pages for people: interactive documentation and console, with every asset in the package."""
