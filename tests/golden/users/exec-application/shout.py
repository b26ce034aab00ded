"""Write the prompt, which is the first argument after those of the command, in capitals."""

import sys

mark, prompt = sys.argv[2], sys.argv[3]
sys.stdout.write(f"{prompt.upper()}{mark}\n")
