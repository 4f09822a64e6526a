import assert from 'node:assert/strict';
import { test } from 'node:test';
import en from './en';
import zh from './zh';

const names = (text: string) => [...new Set(text.match(/\{\w+\}/g) ?? [])].sort();

test('both languages have the same keys', () => {
  assert.deepEqual(Object.keys(zh).sort(), Object.keys(en).sort());
});

test('a text has the same names to fill in, in both languages', () => {
  for (const [key, text] of Object.entries(en)) assert.deepEqual(names((zh as Record<string, string>)[key]), names(text), key);
});

test('no text is empty', () => {
  for (const [key, text] of [...Object.entries(en), ...Object.entries(zh)]) assert.notEqual(text.trim(), '', key);
});
