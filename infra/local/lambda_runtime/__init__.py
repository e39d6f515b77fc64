"""How a function runs on one machine: forked from a process that has imported the libraries, with a runtime of ours."""
