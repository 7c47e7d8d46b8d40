"""Something that is done beside the test."""

import threading


class Doing(threading.Thread):
    """Runs something beside the test and keeps what came of it."""

    def __init__(self, what):
        super().__init__()
        self.what, self.result = what, None
        self.start()

    def run(self):
        try:
            self.result = self.what()
        except Exception as error:  # noqa: BLE001: it is the result
            self.result = error

    def end(self):
        self.join(30)
        assert not self.is_alive()
        if isinstance(self.result, Exception):
            raise self.result
        return self.result
