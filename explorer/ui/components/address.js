// Changes the query of the address; `embed` and `embed_options`, which are Streamlit's, stay.

const STREAMLITS = ["embed", "embed_options"];

export default function ({ data }) {
  const now = new URL(location.href);
  const kept = STREAMLITS.flatMap((name) => now.searchParams.getAll(name).map((value) => [name, value]));
  for (const name of STREAMLITS) now.searchParams.delete(name);
  if (String(now.searchParams) !== String(new URLSearchParams(data.before))) return; // there is other news
  const after = new URLSearchParams(data.after);
  for (const [name, value] of kept) after.append(name, value);
  now.search = String(after);
  history.replaceState({}, "", now);
}
