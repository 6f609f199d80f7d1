"""Serves the web page as ``mmris web`` does, but removes uploads soon: ``python -m tests.soak.serve_page``."""

from mmris.web import Limits, Models, find_loaders, serve

# Seconds. So that the removal is seen within the run.
UPLOAD_SECONDS = 10
VISITORS = 16

if __name__ == '__main__':
    serve(Models(find_loaders([], [], device='cpu')), port=0,
          limits=Limits(upload_seconds=UPLOAD_SECONDS, visitors=VISITORS))
