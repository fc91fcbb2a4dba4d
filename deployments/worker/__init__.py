"""The warm worker: runs flows, imported once, in its own process. Importing this is cheap; Prefect comes with `worker`.

``flows_file`` what prefect.yaml says · ``catalog`` the flows, imported · ``registration`` both, told to the server ·
``lanes`` threads that run them · ``engine`` one run · ``recovery`` runs whose worker died · ``worker`` all of it, joined.
"""
