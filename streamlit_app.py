"""The app: `streamlit run streamlit_app.py`."""

# The worker process imports this file again, and must not open the app a second time.
if __name__ == "__main__":
    from explorer.ui import main

    main()
