// rule: none
static const char *const names[] = {"a", "b"};
static const int sizes[2] = {1, 2};
enum { LIMIT = 3 };
struct forward;
static int local(void);
const char sk_name[] = "skein";

int sk_sum(int a)
{
    int total = a; // a simulator or a test may be named in words
    static const int step = 1;
    return total + step + sizes[0] + names[0][0] + LIMIT + local();
}

static int local(void)
{
    return 1;
}
