#!/usr/bin/python3
"""FreeTDS's tsql: ct-lib below, rows as lines of text, one query after another in one connection."""

import re

import client
import freetds_text
from client import CommandError, CommandLine

MESSAGE = re.compile(r'^Msg (\d+) \(severity (\d+), state \d+\) from .*?:\n\t"(.*?)"$', re.M | re.S)


class Tsql(CommandLine):
    value = staticmethod(freetds_text.value)
    moments = freetds_text.MOMENTS

    def batches(self, batches, database, password):
        p = self.plan
        command = ["tsql", "-S", self.section, "-U", p["user"], "-P", password, "-D", database, "-o", "fhq", "-t", freetds_text.SEPARATOR,
                   "-r", freetds_text.END]
        script = "".join(sql + "\ngo\n" for sql in batches)
        status, out, err = client.run_command(command, script, self.environment)
        for number, severity, text in MESSAGE.findall(err):
            if int(severity) > 10:
                raise CommandError(int(number), text)
        if status != 0:
            raise CommandError(-1, err + out)
        rows = [line.split(freetds_text.SEPARATOR) for line in out.split(freetds_text.END)[:-1]]
        return [[[None if v == "NULL" else v for v in row] for row in rows]]


Tsql().run()
