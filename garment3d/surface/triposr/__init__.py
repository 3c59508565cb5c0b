"""TripoSR (Tochilkin et al. 2024, github.com/VAST-AI-Research/TripoSR): one picture to a triplane scene."""
