// Streamlit's document says that it is English, whatever is in it.

export default function ({ data }) {
  document.documentElement.lang = data;
}
