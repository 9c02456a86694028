"""What was found or downloaded, handed over: to RELION, Scipion, Globus and Aspera."""
