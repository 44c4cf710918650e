// rule: state
int sk_count(void)
{
    static int calls = 0;
    return ++calls;
}
