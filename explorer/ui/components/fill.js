// Puts values into the named places of a sentence, which come in another order in another language.
// Python puts this before the scripts that use it.

function fill(sentence, values) {
  return sentence.replace(/\{(\w+)\}/g, (place, name) => values[name] ?? place);
}
