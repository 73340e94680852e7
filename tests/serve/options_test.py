"""Options, keys and what is refused at the start."""
import pathlib
import signal
import socket
import tempfile
import threading
import unittest

import client
import program


class Options(unittest.TestCase):
    def test_what_print_config_prints_means_the_same_when_it_is_read(self):
        given = ["--port", "8123", "--queue-seconds", "77.5", "--max-body-bytes", "3MiB", "--cors-origins",
                 "https://a.example.org", "--model", "x=/some where/\"quoted\"", "--insecure"]
        first = program.run("serve", *given, "--print-config")
        self.assertEqual((first.returncode, first.stderr), (0, ""))
        for expected in ("port = 8123", "queue_seconds = 77.5", 'max_body_bytes = "3MiB"', "insecure = true"):
            self.assertIn(expected, first.stdout)
        with tempfile.TemporaryDirectory() as folder:
            config = pathlib.Path(folder) / "tutti.toml"
            config.write_text(first.stdout)
            self.assertEqual(program.run("serve", "--config", config, "--print-config").stdout, first.stdout)

    def test_a_flag_goes_before_the_environment_and_that_before_the_file(self):
        with tempfile.TemporaryDirectory() as folder:
            config = pathlib.Path(folder) / "tutti.toml"
            config.write_text("[limits]\nqueue_seconds = 1\n")
            command = ("serve", "--config", config, "--print-config")
            environment = {"TUTTI_LIMITS_QUEUE_SECONDS": "2"}
            self.assertIn("queue_seconds = 1 ", program.run(*command).stdout)
            self.assertIn("queue_seconds = 2 ", program.run(*command, **environment).stdout)
            self.assertIn("queue_seconds = 3 ", program.run(*command, "--queue-seconds", 3, **environment).stdout)

    def test_a_wrong_option_ends_with_2_and_says_which_and_what_is_expected(self):
        with tempfile.TemporaryDirectory() as folder:
            config = pathlib.Path(folder) / "tutti.toml"
            config.write_text("[limits]\nqueue_second = 1\n")
            for options, *said in (
                    (("--no-such-option",), "--no-such-option"),
                    (("--port", "70000"), "port", "70000", "65535"),
                    (("--queue-seconds", "-1"), "queue-seconds", "-1"),
                    (("--log-level", "loud"), "log-level", "loud", "warning"),
                    (("--max-body-bytes", "many"), "max-body-bytes", "many", "MiB"),
                    (("--config", config), str(config), "queue_second"),
                    (("--config", config.with_name("none.toml")), "none.toml"),
                    (("--tls-certificate", "cert.pem"), "tls")):
                with self.subTest(options):
                    done = program.run("serve", *options)
                    self.assertEqual((done.returncode, done.stdout), (2, ""))
                    for word in said:
                        self.assertIn(word, done.stderr)

    def test_a_public_address_is_refused_without_keys(self):
        done = program.run("serve", "--host", "0.0.0.0", "--port", "0")
        self.assertEqual(done.returncode, 2)
        for word in ("0.0.0.0", "keys", "insecure"):
            self.assertIn(word, done.stderr)

    def test_a_model_that_is_not_there_ends_with_1_and_names_it(self):
        done = program.run("serve", "--port", "0", "--model", "/no/such/model")
        self.assertEqual(done.returncode, 1)
        self.assertIn("/no/such/model", done.stderr)


class SocketActivation(unittest.TestCase):
    def test_who_connected_before_the_service_was_there_is_answered(self):
        with socket.create_server(("127.0.0.1", 0)) as listening:
            port = listening.getsockname()[1]
            answers = []
            early = threading.Thread(target=lambda: answers.append(client.call(port, "GET", "/healthz").status))
            early.start()
            # As systemd does: the process that was started is the one that LISTEN_PID names, and its socket is number 3.
            handed_over = f'export LISTEN_PID=$$ LISTEN_FDS=1; exec "$@" 3<&{listening.fileno()}'
            with program.Server(started_by=("sh", "-c", handed_over, "sh"), pass_fds=[listening.fileno()]) as server:
                early.join()
                self.assertEqual((answers, server.port), ([200], port))
                self.assertEqual(server.terminate(), 0)


class Keys(unittest.TestCase):
    def add(self, file, tenant):
        done = program.run("keys", "add", tenant, "--file", file)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout.strip()

    def test_who_has_no_key_gets_401_and_a_key_added_counts_after_sighup(self):
        [recording, *_] = program.recordings(1, 1)
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder) / "keys"
            first = self.add(file, "one")
            with program.Server("--keys", file) as server:
                def status(key, path="/v1/models"):
                    headers = {"Authorization": f"Bearer {key}"} if key else {}
                    return client.call(server.port, "GET", path, headers=headers).status

                def transcribe(key):
                    return client.post_file(server.port, "/v1/transcribe", recording,
                                            headers={"Authorization": f"Bearer {key}"}).status

                refused = client.call(server.port, "GET", "/v1/models")
                self.assertEqual((refused.status, refused.headers["WWW-Authenticate"]), (401, "Bearer"))
                self.assertEqual(refused.json["error"]["code"], "invalid_api_key")
                self.assertEqual([status("", path) for path in ("/healthz", "/readyz", "/", "/metrics", "/v1/status")],
                                 [200, 200, 200, 401, 401])
                self.assertEqual([status(first), transcribe(first)], [200, 200])
                second = self.add(file, "two")
                self.assertEqual([status(second), transcribe(second)], [401, 401])
                server.signal(signal.SIGHUP)
                server.wait_for('"reloaded"')
                self.assertEqual([status(first), status(second), transcribe(second)], [200, 200, 200])
                self.assertEqual(program.run("keys", "revoke", "one", "--file", file).returncode, 0)
                server.signal(signal.SIGHUP)
                server.wait_for('"reloaded"', 2)
                self.assertEqual([status(first), status(second)], [401, 200])
                self.assertNotIn(second, "\n".join(server.log))


class Reload(unittest.TestCase):
    def test_sighup_reads_the_file_again_and_a_broken_one_changes_nothing(self):
        [recording, *_] = program.recordings(1, 1)
        with tempfile.TemporaryDirectory() as folder:
            config = pathlib.Path(folder) / "tutti.toml"
            config.write_text("[limits]\nmax_uploads = 8\n")
            with program.Server("--config", config) as server:
                def status():
                    return client.post_file(server.port, "/v1/transcribe", recording).status

                self.assertEqual(status(), 200)
                config.write_text("[listen]\nport = 1\n[limits]\nmax_body_bytes = 1000\n")
                server.signal(signal.SIGHUP)
                server.wait_for('"reloaded"')
                self.assertEqual(status(), 413)
                config.write_text("[limits]\nmax_body_bytes = 1000000\nmax_upload = 8\n")
                server.signal(signal.SIGHUP)
                self.assertIn(f"{config}:3: limits.max_upload: unknown setting", server.wait_for('"reload failed"'))
                self.assertEqual(status(), 413)
                config.unlink()
                server.signal(signal.SIGHUP)
                self.assertIn("tutti.toml", server.wait_for('"reload failed"', 2))
                self.assertEqual((status(), server.terminate()), (413, 0))


if __name__ == "__main__":
    unittest.main()
