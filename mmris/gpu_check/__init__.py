"""What mmris does on a GPU: parts that measure or check, each in a process of its own, and their report.

::

    plan ─► running ─► worker (a process a part) ─► evaluation · steps · losses · distributed · restart
              └──► report
"""
