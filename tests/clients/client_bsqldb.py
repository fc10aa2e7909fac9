#!/usr/bin/python3
"""FreeTDS's bsqldb: db-lib below, a script in, delimited rows out."""

import re

import client
import freetds_text
from client import CommandError, CommandLine

MESSAGE = re.compile(r"^Msg (\d+), Level (\d+), State \d+\n(?:Server .*\n)?(.*)", re.M)


class Bsqldb(CommandLine):
    value = staticmethod(freetds_text.value)
    moments = freetds_text.MOMENTS

    def batches(self, batches, database, password):
        command = ["bsqldb", "-q", "-S", self.section, "-U", self.plan["user"], "-P", password, "-D", database, "-t", freetds_text.SEPARATOR]
        status, out, err = client.run_command(command, "".join(sql + "\ngo\n" for sql in batches), self.environment)
        for number, severity, text in MESSAGE.findall(err):
            if int(severity) > 10:
                raise CommandError(int(number), text)
        if status != 0:
            raise CommandError(-1, err + out)
        return [[[None if v == "NULL" else v for v in line.split(freetds_text.SEPARATOR)] for line in out.splitlines() if line]]


Bsqldb().run()
