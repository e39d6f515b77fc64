"""Load: Locust sends orders over HTTP and by PutEvents, and what the pipeline made of them is judged.

Two processes. Locust's (`users`) sends, and decides by what has ended at which rate to go on (`shape`); it alone is
patched by gevent. The other (`commands`) starts it, reads the memory of processes meanwhile (`memory`), and afterwards
reads what became of every order (`outcome`) and judges (`verdict`). They share a folder of files (`records`).
"""
