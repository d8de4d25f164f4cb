"""What Streamlit runs for each visitor, from top to bottom, at each of their actions."""

# A worker process imports this file again, and must not show a page.
if __name__ == "__main__":
    from explorer.ui.app import main

    main()
