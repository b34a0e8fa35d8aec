"""How the small SkyReels-A2 learns: clips, networks and the loop that resumes bit for bit."""
