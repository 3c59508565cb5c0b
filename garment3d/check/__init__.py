"""Do the real model files do here what they should: one photo through each of them, judged by measures with bounds.

Random weights pass none of these; they are for whoever has the official files, as one report to paste into an issue.
"""
