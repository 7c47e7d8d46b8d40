#!/usr/bin/python3
"""Cuts psql scripts into the query strings that psql would send, each written with a NUL behind it.

    split_psql.py FILE... > strings

Knows what psql knows: quotes, comments, parentheses, BEGIN ATOMIC bodies, backslash commands (dropped; those that
send what stands before them end it), \\; (part of the string) and the data of COPY FROM STDIN. It is written apart from
the router's lexer, in another language, so that the two do not share their mistakes.
"""
import re
import sys

TOKEN = re.compile(rb"""
    (?P<blank>\s+)
  | (?P<line>--[^\n\r]*)
  | (?P<block>/\*)
  | (?P<escape>[eE]'(?:[^'\\]|\\.|'')*')
  | (?P<string>(?:[uU]&)?'(?:[^']|'')*')
  | (?P<quoted>(?:[uU]&)?"(?:[^"]|"")*")
  | (?P<dollar>\$(?:[A-Za-z_\x80-\xff][A-Za-z_0-9\x80-\xff]*)?\$)
  | (?P<word>[A-Za-z_\x80-\xff][A-Za-z_0-9$\x80-\xff]*)
  | (?P<joined>\\;)
  | (?P<command>\\[^\n]*)
  | (?P<other>.)
""", re.VERBOSE | re.DOTALL)
SENDS = (b"\\g", b"\\crosstabview", b"\\watch")
QUOTE = re.compile(rb"'(?:[^'\\]|\\.|'')*'", re.DOTALL)


def end_of_block(text, at):
    depth = 0
    while at < len(text):
        pair = text[at:at + 2]
        depth += (pair == b"/*") - (pair == b"*/")
        at += 2 if pair in (b"/*", b"*/") else 1
        if depth == 0:
            break
    return at


class Splitter:
    def __init__(self, text):
        self.text, self.at = text, 0
        self.strings, self.standard = [], True
        self.reset()

    def reset(self):
        self.parts, self.words, self.parens, self.blocks = [], [], 0, 0

    def send(self):
        statement = b"".join(self.parts).strip()
        words = self.words
        self.reset()
        if statement:
            self.strings.append(statement)
        self.follow_setting(statement)
        if words[:1] == [b"copy"] and b"stdin" in words and b"from" in words:
            end = re.compile(rb".*\n?").match(self.text, self.at).end()
            found = re.compile(rb"^\\\.\s*$", re.MULTILINE).search(self.text, end)
            self.at = found.end() if found else len(self.text)

    def follow_setting(self, statement):
        match = re.fullmatch(rb"set\s+standard_conforming_strings\s*(?:=|to)\s*(on|off)", statement.rstrip(b"; "), re.I)
        if match:
            self.standard = match[1].lower() == b"on"

    def on_word(self, word):
        self.words.append(word)
        creates = self.words[0] == b"create" and any(w in (b"function", b"procedure") for w in self.words[:4])
        if creates and word == b"atomic" and self.words[-2:-1] == [b"begin"]:
            self.blocks += 1
        elif self.blocks and word == b"case":
            self.blocks += 1
        elif self.blocks and word == b"end":
            self.blocks -= 1

    def run(self):
        text = self.text
        while self.at < len(text):
            match = TOKEN.match(text, self.at)
            kind, piece = match.lastgroup, match[0]
            if kind == "string" and not self.standard and piece[:1] == b"'":
                piece = (QUOTE.match(text, self.at) or match)[0]
            self.at = match.start() + len(piece)
            if kind == "command":
                self.at = match.end()
                if piece.startswith(SENDS):
                    self.send()
                continue
            if kind == "block":
                self.at = end_of_block(text, match.start())
                piece = text[match.start():self.at]
            elif kind == "dollar":
                end = text.find(piece, self.at)
                self.at = len(text) if end < 0 else end + len(piece)
                piece = text[match.start():self.at]
            elif kind == "joined":
                piece = b";"
            elif kind == "word":
                self.on_word(piece.lower())
            elif piece in b"()":
                self.parens += 1 if piece == b"(" else -1
            elif piece == b";" and self.parens <= 0 and self.blocks == 0:
                self.parts.append(piece)
                self.send()
                continue
            self.parts.append(piece)
        self.send()
        return self.strings


def main():
    for path in sys.argv[1:]:
        with open(path, "rb") as file:
            for string in Splitter(file.read()).run():
                sys.stdout.buffer.write(string.replace(b"\0", b"") + b"\0")


if __name__ == "__main__":
    main()
