import { afterEach, expect, test, vi } from "vitest";
import { EMBED_WORDS, said } from "../src/client/embed";
import { secretFrom } from "../src/client/secret";
import { wishesOf } from "../src/page/choices";
import { reason, Rest, sentence } from "../src/page/rest";
import { serviceOf } from "../src/page/service";
import { en } from "../src/page/words/en";
import { es } from "../src/page/words/es";
import { zh } from "../src/page/words/zh";

afterEach(() => vi.unstubAllGlobals());

const answer = (status: number, told: unknown) => new Response(JSON.stringify(told), { status });

test("the service's sentence is found in both shapes, and shown as a sentence", () => {
  expect(reason({ detail: "no conversation is called 'x'" })).toBe("no conversation is called 'x'");
  expect(reason({ error: { message: "no face was found" } })).toBe("no face was found");
  for (const other of [null, {}, { detail: [{ msg: "wrong" }] }, { error: {} }]) expect(reason(other)).toBeNull();
  expect(sentence("no face was found; send another")).toBe("No face was found; send another.");
  expect(sentence("没有人脸。")).toBe("没有人脸。");
});

test("the service is asked with the key, below its own address, and refuses with its sentence", async () => {
  const asked: [string, string | null][] = [];
  vi.stubGlobal("fetch", async (url: string, { headers }: { headers: Headers }) => {
    asked.push([url, headers.get("Authorization")]);
    return asked.length === 1 ? answer(200, { voices: [] }) : answer(409, { error: { message: "speaks with one voice" } });
  });
  const rest = new Rest("https://host/avatar/", "ak_1");
  expect(await rest.json("/voices")).toEqual({ voices: [] });
  await expect(rest.erase("/voices/x")).rejects.toThrow("speaks with one voice");
  expect(asked).toEqual([
    ["https://host/avatar/voices", "Bearer ak_1"],
    ["https://host/avatar/voices/x", "Bearer ak_1"],
  ]);
});

test("the page speaks to the host that it came from, unless its own head names another", () => {
  const page = (content?: string) => ({ querySelector: () => (content === undefined ? null : { content }) }) as never;
  expect(serviceOf(page(), "https://host/avatar/?gateway=https://thief/")).toBe("https://host/avatar/");
  expect(serviceOf(page("https://far.example/face/"), "https://host/")).toBe("https://far.example/face/");
});

test("a host's backend that has no secret says why", async () => {
  vi.stubGlobal("fetch", async () => answer(401, { detail: "this key is not known here" }));
  await expect(secretFrom("/secret")()).rejects.toThrow("this key is not known here");
  vi.stubGlobal("fetch", async () => answer(200, { value: "ek_1" }));
  expect(await secretFrom("/secret")()).toBe("ek_1");
});

test("what was wished the last time is taken as far as it can still be wished", () => {
  expect(wishesOf('{"persona": "museum", "hat": "red", "voice": 3}')).toEqual({ persona: "museum" });
  for (const broken of [null, "", "{", "null", "7"]) expect(wishesOf(broken)).toEqual({});
});

test("an embedded face says nothing while all goes well, else what is the matter", () => {
  expect(said({ link: "open", problem: null }, EMBED_WORDS)).toBe("");
  expect(said({ link: "reconnecting", problem: null }, EMBED_WORDS)).toBe("Connecting…");
  expect(said({ link: "open", problem: { code: "service", text: "It is full." } }, EMBED_WORDS)).toBe("It is full.");
  expect(said({ link: "open", problem: { code: "no_microphone" } }, EMBED_WORDS)).toBe("no microphone");
});

test("where a text holds a place for a number or a name, every language holds it", () => {
  const holes = (words: object): string[] =>
    Object.entries(words).flatMap(([name, text]) =>
      typeof text === "string" ? (text.includes("#") && !text.includes("#key") ? [name] : []) : holes(text),
    );
  expect(holes(es)).toEqual(holes(en));
  expect(holes(zh)).toEqual(holes(en));
});
